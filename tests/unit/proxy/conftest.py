"""Loads the generic protobuf classes once, quietly: they are generated in a style that pydantic deprecates."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import envoy_data_plane.envoy.config.route.v3
    import envoy_data_plane.envoy.extensions.filters.http.lua.v3
    import envoy_data_plane.envoy.service.discovery.v3
    import envoy_data_plane.google.rpc  # noqa: F401
