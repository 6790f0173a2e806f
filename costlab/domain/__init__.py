"""The words of the trade: units, time, identity, signals, tables, findings, errors."""
