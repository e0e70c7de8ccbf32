"""Every SQL statement of the program. Rows become values before they leave; use cases open the transactions."""
