"""Bringing a finished trial into the same tables: a mapping says what the columns of its file are.

| module | does |
|---|---|
| mapping, mapping_references | the schema of mapping files; what they contradict in protocol and instruments |
| table, site_clock | a CSV file as rows of text, or all that is wrong with it; times on a site's clock |
| checking | rows to participants, visits and answers, or every cell that is refused and why |
| differences | what a file says otherwise than what is stored |
| taking | the one transaction that stores it all, as `app` |
| arms | handing the arms over to the unblinded side, where they stay |
"""
