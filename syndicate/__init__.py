"""A self-hosted newsroom: every article reaches every channel exactly once, or the ledger says why not."""

__version__ = "0.1.0"
