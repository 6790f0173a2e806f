"""The default rule, `costlab`: memory by what the lake's own past days tell of the next one, CPU by plain percentiles."""
