"""What is measured, under which key and name, and the unit that is kept. Loaded without a database, as by results."""

UNIT = "ng/mL"
ANALYTES = {
    "ketamine": "Ketamine",
    "norketamine": "Norketamine",
    "dehydronorketamine": "Dehydronorketamine",
    "hydroxynorketamine": "(2R,6R;2S,6S)-Hydroxynorketamine",
}
