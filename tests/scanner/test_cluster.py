"""Addresses of clusters that cannot be: told at once, before Ray is asked."""

import pytest

from genoscan.scanner.cluster import ray_cluster
from genoscan.scanner.errors import GenoscanError, UsageError


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("ray://head:10001", "give HOST:PORT of the cluster's head"),
        ("head:", "'' is no port"),
        ("head:x", "'x' is no port"),
        ("head:0", "'0' is no port"),
        ("head:65536", "'65536' is no port"),
        ("head:\u00b2", "'\u00b2' is no port"),
        ("head:" + "9" * 5000, "is no port"),
    ],
)
def test_addresses_that_cannot_be(address, said):
    with pytest.raises(UsageError, match=said), ray_cluster(address):
        pass


@pytest.mark.parametrize("host", ["n" * 300, "\udcff", "a..b"])
def test_hosts_that_cannot_be(host):
    with pytest.raises(GenoscanError, match="nobody answers"), ray_cluster(f"{host}:6379"):
        pass
