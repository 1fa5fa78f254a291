"""Each file of reference numbers as one function that returns its `Book` of comparisons."""
