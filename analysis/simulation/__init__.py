"""The simulation model of the demo trial: who comes, what they would answer, what goes missing.

Pure: no database, no clock, no global random state. Start with `trial.simulate`; the numbers are in
`defaults.yaml`; one module is one part of the model.
"""
