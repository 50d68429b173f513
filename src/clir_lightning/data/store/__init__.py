"""What is prepared once and kept: columns, tables and folders that exist whole or not at all."""
