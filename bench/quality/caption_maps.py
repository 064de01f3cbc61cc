#!/usr/bin/env python3
"""Does the map of "dog" lie on the dog? On twenty pictures of Flickr8k's dev part, whose things we have looked for, the share of a
word's weight in the quarter of the picture where its thing is; of a map that is the same everywhere a quarter lies there.
  bench/quality/caption_maps.py PROGRAM MODEL IMAGES    (IMAGES: the folder images/ of flickr8k-mini)
Each caption is made to begin with "a" and the thing."""
import json
import pathlib
import subprocess
import sys

# The beginning of a picture's name, the thing, and the quarter it is in: top or bottom, left or right.
THINGS = """
1022454332_6af woman BR, 1131155939_b4b dog TL, 1138784872_69a child BL, 127450902_533c person BR, 1332823164_c70 person TL,
134724228_3040 man BR, 135235570_5698 man BR, 1378557186_4bd dog BL, 1377668044_363 dog TL, 1468962616_580 boy BL,
1470536919_1f3 dog TR, 1510078253_96e ball BL, 159712188_d530 woman BL, 1679557684_50a dog TL, 1440024115_129 dog TR,
1691573772_1ad person BR, 1580671272_3e9 man BR, 1248357227_2b4 person TL, 1077546505_a4f boy TR, 1100214449_d10 boy TL
"""


def half(n, first):
    """How much of each of n rows lies in one half."""
    weights = [1.0] * (n // 2) + [0.5] * (n % 2) + [0.0] * (n // 2)
    return weights if first else weights[::-1]


def share(output, thing, quarter):
    at = next(k for k, token in enumerate(output["tokens"]) if thing in token)
    weights = output["alignment"][at]
    n = round(len(weights) ** 0.5)
    rows, columns = half(n, quarter[0] == "T"), half(n, quarter[1] == "L")
    inside = sum(weights[y * n + x] * rows[y] * columns[x] for y in range(n) for x in range(n))
    return inside / sum(weights)


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    program, model, images = sys.argv[1:]
    shares = []
    for entry in THINGS.replace("\n", " ").split(","):
        name, thing, quarter = entry.split()
        picture = next(pathlib.Path(images).glob(name + "*"))
        done = subprocess.run([program, "predict", model, "--in", str(picture), "--field", f"prefix=a {thing}", "--format",
                               "jsonl"], capture_output=True, text=True, check=True)
        output = json.loads(done.stdout)["outputs"][0]
        shares.append(share(output, thing, quarter))
        print(f"{name:16} {thing:7} {quarter} {shares[-1]:.3f}")
    print(f"mean {sum(shares) / len(shares):.3f} (everywhere alike: 0.250); more than a quarter in "
          f"{sum(s > 0.25 for s in shares)} of {len(shares)}")


if __name__ == "__main__":
    main()
