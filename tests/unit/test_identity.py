"""Keys are stored in lakes: a change here would cut every container's history in two."""

import pytest

from costlab.domain.identity import PodKey, container_key, gpu_key, stable_key

POD = PodKey("prod", "ml", "train-0", "0b1e6a52-5c07-4d0c-9f3e-0d6c3e8d5a11")
NAMELESS = PodKey("prod", "ml", "train-0", "", 1_763_769_600_000)


@pytest.mark.parametrize(
    ("key", "published"),
    [
        (stable_key(), 6_510_301_506_637_419_378),
        (stable_key("a", "bc"), 2_231_421_897_054_638_433),
        (stable_key("ab", "c"), 1_838_410_584_073_358_459),
        (stable_key("é"), 4_990_032_045_732_856_694),
        (container_key(POD, "main"), 3_425_784_192_235_340_694),
        (container_key(POD, ""), 7_420_961_256_089_077_398),
        (container_key(NAMELESS, "main"), 7_269_774_406_209_238_781),
        (gpu_key("prod", "node-1", "GPU-5f3c"), 98_098_324_951_997_003),
        (gpu_key("prod", "node-1", "GPU-5f3c", "7"), 5_392_242_626_260_295_854),
        (gpu_key("prod", "node-1", "", index="0"), 6_657_760_097_839_385_001),
    ],
)
def test_keys_are_the_published_ones(key: int, published: int) -> None:
    assert key == published


def test_a_gpu_keeps_its_key_when_it_moves_to_another_node() -> None:
    assert gpu_key("prod", "node-1", "GPU-5f3c") == gpu_key("prod", "node-2", "GPU-5f3c", index="3")


def test_a_pod_started_again_under_its_name_is_another_one() -> None:
    again = PodKey("prod", "ml", "train-0", "7d0c1a9e-1111-4d0c-9f3e-0d6c3e8d5a11")
    assert again.identity != POD.identity
    assert NAMELESS.identity == ("prod", "ml", "train-0", "2025-11-22T00:00:00+00:00")
