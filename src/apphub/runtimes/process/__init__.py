"""Servers as processes of this machine (Linux).

    driver        `ProcessRuntime`: the five verbs, on the hub's event loop
    ├── living    main processes that live; roll: who is left of a server, asked in batches
    └── helper    the helper, kept there; link: the connection to it
    spawner       the helper: a small program of its own that forks, reaps and records
    └── launching, cgroups, signals, records, logfiles, procfs, words: what it is made of

The helper imports only the standard library and its own neighbours, never this package's
driver: this file must stay empty of imports.
"""
