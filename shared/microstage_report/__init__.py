"""The page that a run ends with: `facts` reads what the run published, `page` writes one self-contained HTML file.

It runs in an environment of its own (requirements.lock), on what is published alone, so that no stage holds any of it
and no digest covers it.
"""
