"""The assistant: finds out what a person wants, looks it up in a table, and says what the table holds."""
