"""Networks defined once as integers, their twins in other formats, and runtimes measured side by side
(docs/benchmarks.md)."""
