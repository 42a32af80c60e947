"""The place of assembly: settings in, running nodes out. Nothing else knows adapters."""
