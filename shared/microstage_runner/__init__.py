"""The runner: resolves stages into keys, runs what is not done, publishes atomically. Host
only, standard library only.
"""
