"""The data plane by Envoy: configuration and resources (pure), the control stream, the process.

Pure, from the outside in:

    bootstrap    Edge -> the static configuration, written once per start
    entrance     its HTTP part: which headers pass, how a request finds its scope
    replies      what Envoy itself answers: the way to the hub, "restarting", "does not answer"
    guard        the filters that let visitors pass and end their streams, with their scripts (*.lua)
    counts       what Envoy counts
    clusters     where requests go: the hub, the apps; and the control stream
    resources    Scope -> the bytes and the version of one scoped route configuration
    wire         the few protobuf messages this needs, written and read by hand
    session      what one connected edge holds, and what to send it next

With effects:

    control      the gRPC stream: publishes scopes, waits for acknowledgements
    process      starts, adopts, watches, replaces, drains Envoy
    child        one running Envoy;  identity: which process that is
    certificate  hands new certificates on;  ports: are they free;  rundir: files for us alone
"""
