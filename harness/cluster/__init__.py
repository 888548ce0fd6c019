"""Many machines: an adapter whose model lives on a node of a Ray cluster (the extra `ray`).

`worker` runs on the nodes; `driver` is the machine where evalrun was typed, which alone encodes
pictures, grades replies and writes results: every node sees the same pixels and questions.
"""
