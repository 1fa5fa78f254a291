"""Files of other systems: REDCap, CDISC ODM-XML 1.3 and FHIR R4, in and out (docs/importing.md, docs/adr/0012).

| module | does |
|---|---|
| sources, formats, limits, apart, refused | files as they are brought: format, size, first reading, refusal |
| element, cells, document | what every format is read into: definitions as a tree, values at their addresses |
| xml_events, odm_schema, odm_reading, odm_clinical, odm_checking | ODM-XML in, piece by piece, held against itself |
| odm_kept, odm_writing | ODM-XML out, with what ODM has no place for |
| tables, spreadsheets, json_rows, redcap_* | REDCap's dictionary, records and events |
| fhir_* | questionnaires and their responses |
| definitions, value_rules, instrument_drafts | what a file defines, the rules of its values, drafts of instruments |
| reading | any of these files to a document |
| difference, planning, stored | a document against what is stored |
| taking, reporting, exporting | taken whole or not at all; what was done; out again |
| records_mapping, answers_* | which values are answers here, through the verbs of responses; saved mappings |
"""
