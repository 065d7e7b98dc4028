"""Pictures from files of every format, valid and invalid; the cache."""

from __future__ import annotations

import io
import os
import struct
import sys
import zlib

import numpy as np
import pytest

import rnnrs
from rnnrs import data

Image = pytest.importorskip("PIL.Image")

#: 4 × 6 pixels, all of different colors.
PIXELS = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3) * 3


@pytest.fixture
def colors():
    """8 × 12 smooth pixels that survive JPEG."""
    rows, columns = np.mgrid[0:64, 0:96]
    return np.stack([rows * 3, columns * 2, 120 + 0 * rows], -1).astype(np.uint8)


def saved(path, array, mode=None, **options):
    image = Image.fromarray(array)
    (image if mode is None else image.convert(mode)).save(path, **options)
    return path


def opened(path):
    return Image.open(io.BytesIO(path.read_bytes()))


def near(a, b, tolerance):
    assert a.shape == b.shape and np.abs(a.astype(int) - b).max() <= tolerance


def png(width, height, rows=b"", *, depth=1, color=0):
    """Returns a PNG file built by hand: any size in its header, any rows after it."""

    def chunk(name, content):
        return (
            struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        )

    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    packed = zlib.compress(rows)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def test_a_picture_of_the_required_size_is_unchanged(tmp_path):
    path = saved(tmp_path / "a.png", PIXELS)
    np.testing.assert_array_equal(data.read_picture(path, (4, 6)), PIXELS)
    np.testing.assert_array_equal(data.read_picture(io.BytesIO(path.read_bytes()), (4, 6)), PIXELS)


def test_a_picture_is_reduced_by_area_averages_and_padded_or_cropped(tmp_path):
    path = saved(tmp_path / "a.png", PIXELS)
    means = PIXELS.reshape(2, 2, 3, 2, 3).astype(float).mean((1, 3))
    padded = data.read_picture(path, (3, 3))
    assert padded.dtype == np.uint8 and (padded[2] == 255).all()
    near(padded[:2], means.round().astype(int), 1)
    cropped = data.read_picture(path, (2, 2), fit="crop")
    middle = PIXELS[:, 1:5].reshape(2, 2, 2, 2, 3).astype(float).mean((1, 3))
    near(cropped, middle.round().astype(int), 1)
    tall = saved(tmp_path / "tall.png", np.zeros((3000, 1, 3), np.uint8))
    seen = data.read_picture(tall, (8, 8))
    assert (seen == 0).all(2).sum() == 8 and (seen == 255).all(2).sum() == 56
    assert data.read_picture(tall, (8, 8), fit="crop").max() == 0


def test_one_pixel_fills_the_picture(tmp_path):
    path = saved(tmp_path / "a.png", np.full((1, 1, 3), (10, 20, 30), np.uint8))
    for fit in ("pad", "crop"):
        assert (data.read_picture(path, (5, 7), fit=fit)[:, 1:6] == (10, 20, 30)).all()


def test_transparent_pixels_become_white(tmp_path):
    pixels = np.zeros((2, 2, 4), np.uint8)
    pixels[0, 0] = (200, 100, 0, 255)
    pixels[0, 1] = (200, 100, 0, 0)
    pixels[1, 0] = (200, 100, 0, 128)
    path = saved(tmp_path / "a.png", pixels)
    seen = data.read_picture(path, (2, 2)).astype(int)
    assert seen[0].tolist() == [[200, 100, 0], [255, 255, 255]]
    near(seen[1, 0], np.array([227, 177, 127]), 2)
    gray = saved(tmp_path / "gray.png", np.array([[[7, 255], [7, 0]]], np.uint8))
    assert data.read_picture(gray, (1, 2)).tolist() == [[[7, 7, 7], [255, 255, 255]]]


def test_colors_of_transparent_pixels_do_not_bleed(tmp_path):
    pixels = np.zeros((2, 2, 4), np.uint8)
    pixels[..., 0], pixels[..., 3] = 255, 0  # invisible red
    pixels[0, 0] = (0, 0, 0, 255)
    seen = data.read_picture(saved(tmp_path / "a.png", pixels), (1, 1))[0, 0].astype(int)
    near(seen, np.array([191, 191, 191]), 2)  # a quarter black, the rest white


def test_a_palette_with_a_transparent_color(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "a.png", transparency=1)
    image.save(tmp_path / "a.gif", transparency=1)
    image.save(tmp_path / "b.png", transparency=b"\xff\x00")  # alpha per color
    for name in ("a.png", "a.gif", "b.png"):
        assert data.read_picture(tmp_path / name, (1, 2)).tolist() == [[[255, 0, 0], [255, 255, 255]]]
    plain = Image.new("RGB", (2, 1), (1, 2, 3))
    plain.putpixel((1, 0), (9, 9, 9))
    plain.save(tmp_path / "c.png", transparency=(9, 9, 9))
    assert data.read_picture(tmp_path / "c.png", (1, 2)).tolist() == [[[1, 2, 3], [255, 255, 255]]]


def test_gray_black_and_white_and_16_bits(tmp_path):
    values = np.array([[0, 256 * 100 + 255, 65535]], np.uint16)
    path = saved(tmp_path / "a.png", values)
    assert data.read_picture(path, (1, 3))[0, :, 0].tolist() == [0, 100, 255]
    saved(tmp_path / "a.tif", values)
    assert data.read_picture(tmp_path / "a.tif", (1, 3))[0].tolist() == [[0] * 3, [100] * 3, [255] * 3]
    rows = b"".join(b"\0" + struct.pack(">6H", 65535, 0, 256, 300, 511, 512) for _ in range(1))
    (tmp_path / "rgb.png").write_bytes(png(2, 1, rows, depth=16, color=2))
    assert data.read_picture(tmp_path / "rgb.png", (1, 2))[0].tolist() == [[255, 0, 1], [1, 1, 2]]
    saved(tmp_path / "b.png", np.array([[0, 255]], np.uint8), "1")
    assert data.read_picture(tmp_path / "b.png", (1, 2))[0].tolist() == [[0] * 3, [255] * 3]
    saved(tmp_path / "f.tif", np.array([[0.5, 1e9]], np.float32))
    with pytest.raises(rnnrs.FormatError, match=r"f\.tif: floating-point pixels"):
        data.read_picture(tmp_path / "f.tif")
    saved(tmp_path / "i.tif", np.array([[0, 70000]], np.int32))
    with pytest.raises(rnnrs.FormatError, match=r"i\.tif: pixels of more than 16 bits"):
        data.read_picture(tmp_path / "i.tif")


def test_jpeg_in_all_color_modes(tmp_path, colors):
    for mode, name in (("RGB", "a.jpg"), ("CMYK", "b.jpg")):
        path = saved(tmp_path / name, colors, mode, quality=95)
        assert opened(path).mode == mode
        near(data.read_picture(path, (64, 96)), colors, 8)
    gray = saved(tmp_path / "c.jpg", colors, "L")
    assert np.ptp(data.read_picture(gray, (64, 96)).astype(int), 2).max() == 0
    near(data.read_picture(saved(tmp_path / "d.webp", colors, lossless=True), (64, 96)), colors, 0)


def test_exif_orientation_is_applied(tmp_path):
    from PIL import ImageOps

    array = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
    for orientation in range(10):
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = saved(tmp_path / f"{orientation}.png", array, exif=exif)
        upright = np.asarray(ImageOps.exif_transpose(opened(path)))
        np.testing.assert_array_equal(data.read_picture(path, upright.shape[:2]), upright)
        assert data.read_picture(path, (5, 3)).shape == (5, 3, 3)
    saved(tmp_path / "a.jpg", PIXELS, exif=b"Exif\0\0MM damaged")
    assert data.read_picture(tmp_path / "a.jpg").shape == (32, 32, 3)


def test_an_animation_gives_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (3, 3), color) for color in ("red", "blue", "green")]
    for name in ("a.gif", "a.webp", "a.png"):
        options = {"lossless": True} if name == "a.webp" else {}
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], duration=100, **options)
        assert opened(tmp_path / name).n_frames == 3
        assert (data.read_picture(tmp_path / name, (3, 3)) == (255, 0, 0)).all()


def bad_files(folder, colors):
    """Writes files that are not pictures, and returns the message about each."""
    whole = saved(folder / "good.jpg", colors).read_bytes()
    lines = saved(folder / "whole.png", colors).read_bytes()
    contents = {
        "text.png": (b"not a picture at all", "not a picture, or of an unsupported format"),
        "empty.png": (b"", "not a picture"),
        "cut.jpg": (whole[: len(whole) // 2], "truncated or damaged: "),
        "cut.png": (lines[: len(lines) // 2], "truncated or damaged: "),
        "head.jpg": (whole[:20], "truncated or damaged: "),
        "bomb.png": (png(20_000, 20_000), "20,000 × 20,000 pixels|more than 50,000,000 pixels"),
        "wide.png": (png(9_000, 9_000), "9,000 × 9,000 pixels, more than 50,000,000"),
        "drawing.png": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture"),
        "zero.png": (png(0, 5), "not a picture|truncated or damaged: "),
    }
    for name, (content, _) in contents.items():
        (folder / name).write_bytes(content)
    (folder / "folder.png").mkdir()
    return {name: message for name, (_, message) in contents.items()} | {
        "folder.png": "not a file",
        "missing.png": "No such file or directory",
    }


def test_bad_files_are_named_in_one_line_and_the_others_are_read(tmp_path, colors):
    expected = bad_files(tmp_path, colors)
    files = [tmp_path / name for name in ("good.jpg", *expected, "whole.png")]
    found = data.read_pictures(files, (8, 8))
    assert found.files == (str(tmp_path / "good.jpg"), str(tmp_path / "whole.png"))
    assert found.images.shape == (2, 8, 8, 3) and len(found) == 2
    assert str(found) == f"2 of {len(files)} pictures read"
    for (name, message), line in zip(expected.items(), found.problems, strict=True):
        assert "\n" not in line and line.startswith(f"{tmp_path / name}: "), line
        assert any(part in line for part in message.split("|")), line
        with pytest.raises((rnnrs.FormatError, OSError)):
            data.read_picture(tmp_path / name)
    with pytest.raises(
        rnnrs.FormatError, match=r"none of 1 files could be read as a picture; .*text.png: not"
    ):
        data.read_pictures([tmp_path / "text.png"])


def test_truncated_and_damaged_files_are_a_picture_or_an_error(tmp_path, colors):
    draw = np.random.default_rng(0)
    small = colors[::4, ::4].copy()
    for name in ("a.png", "a.jpg", "a.gif", "a.webp", "a.bmp", "a.tif", "a.ico", "a.tga"):
        whole = saved(tmp_path / name, small).read_bytes()
        cases = [whole[: int(end)] for end in np.linspace(0, len(whole) - 1, 40)]
        for _ in range(80):
            damaged = bytearray(whole)
            for place in draw.integers(0, min(len(whole), 400), 3):
                damaged[place] = int(draw.integers(256))
            cases.append(bytes(damaged))
        for case in cases:
            try:
                seen = data.read_picture(io.BytesIO(case), (8, 8))
            except rnnrs.FormatError as error:
                assert str(error).startswith("the picture: ") and "\n" not in str(error)
            else:
                assert seen.shape == (8, 8, 3) and seen.dtype == np.uint8


def test_a_huge_jpeg_is_decoded_small(tmp_path, monkeypatch):
    sizes = []
    path = tmp_path / "a.jpg"
    Image.new("L", (9000, 8000), 90).save(path)
    from rnnrs.data import picture_decoding

    fitted = picture_decoding._fitted
    monkeypatch.setattr(
        picture_decoding, "_fitted", lambda *args: (sizes.append(args[1].size), fitted(*args))[1]
    )
    assert (data.read_picture(path, (9, 8), fit="crop") == 90).all()
    assert sizes == [(1125, 1000)]
    Image.new("L", (9000, 8000), 90).save(path, progressive=True)
    with pytest.raises(rnnrs.FormatError, match="9,000 × 8,000 pixels, more than 50,000,000"):
        data.read_picture(path)


def test_invalid_arguments_are_refused(tmp_path):
    path = saved(tmp_path / "a.png", PIXELS)
    for size in (32, (0, 3), (3,), (2.0, 2), (True, 2), (5000, 2), "ab"):
        with pytest.raises(ValueError, match=r"size: expected \(rows, columns\) from 1 to 4096, got"):
            data.read_picture(path, size)
    with pytest.raises(ValueError, match="fit: expected one of pad, crop, got 'stretch'"):
        data.read_pictures([path], fit="stretch")
    with pytest.raises(ValueError, match="files: expected at least one picture, got none"):
        data.read_pictures([])
    with pytest.raises(FileNotFoundError):
        data.read_picture(tmp_path / "missing.png")


def test_a_folder(tmp_path):
    for name in ("b.png", "a.PNG", "c.txt", ".hidden.png"):
        saved(tmp_path / name, PIXELS, format="PNG")
    found = data.read_pictures(tmp_path, (4, 6))
    assert [os.path.basename(file) for file in found.files] == ["a.PNG", "b.png"]
    (tmp_path / "none").mkdir()
    with pytest.raises(ValueError, match="none: expected a folder with pictures, got one without"):
        data.read_pictures(tmp_path / "none")
    with pytest.raises(FileNotFoundError):
        data.read_pictures(tmp_path / "nowhere")


def test_a_missing_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(
        rnnrs.MissingExtraError, match=r'PIL is not installed: pip install "rnnrs\[pictures\]"'
    ):
        data.read_pictures([tmp_path / "a.png"])


# The cache


@pytest.fixture
def decoded(monkeypatch):
    """The names of the files that were decoded."""
    from rnnrs.data import pictures

    names, decode = [], pictures.decode
    monkeypatch.setattr(
        pictures, "decode", lambda file, *args: (names.append(os.path.basename(file)), decode(file, *args))[1]
    )
    return names


def test_the_cache_keeps_decoded_pictures(tmp_path, decoded):
    for i, name in enumerate(("a.png", "b.png")):
        saved(tmp_path / name, PIXELS + i)
    (tmp_path / "c.png").write_text("no picture")
    files, cache = [tmp_path / name for name in ("a.png", "b.png", "c.png", "d.png")], tmp_path / "kept.npz"
    first = data.read_pictures(files, (4, 6), cache=cache)
    assert decoded == ["a.png", "b.png", "c.png", "d.png"] and len(first.problems) == 2
    written = cache.stat().st_mtime_ns
    decoded.clear()
    again = data.read_pictures(files[::-1], (4, 6), cache=cache)
    assert decoded == ["d.png"]  # a missing file may exist by now
    np.testing.assert_array_equal(again.images, first.images[::-1])
    assert again.problems == first.problems[::-1] and cache.stat().st_mtime_ns == written
    saved(files[1], PIXELS + 50)
    os.utime(files[1], ns=(1, 1))
    decoded.clear()
    changed = data.read_pictures(files[:3], (4, 6), cache=cache)
    assert decoded == ["b.png"]
    np.testing.assert_array_equal(changed.images, [PIXELS, PIXELS + 50])
    decoded.clear()
    assert len(data.read_pictures(files[:1], (4, 6), cache=cache)) == 1
    assert data.read_pictures(files[:3], (4, 6), cache=cache).files and not decoded
    for settings in ({"size": (2, 3)}, {"size": (4, 6), "fit": "crop"}):
        decoded.clear()
        assert data.read_pictures(files[:3], cache=cache, **settings).images.shape[0] == 2
        assert decoded == ["a.png", "b.png", "c.png"]


def test_a_damaged_cache_is_rebuilt(tmp_path, decoded):
    path, cache = saved(tmp_path / "a.png", PIXELS), tmp_path / "kept.npz"
    first = data.read_pictures([path], (4, 6), cache=cache)
    whole = cache.read_bytes()
    for damaged in (b"", whole[:100], whole[:-30], whole[:300] + b"?" * 20 + whole[320:]):
        cache.write_bytes(damaged)
        decoded.clear()
        np.testing.assert_array_equal(data.read_pictures([path], (4, 6), cache=cache).images, first.images)
        assert decoded == ["a.png"] and cache.read_bytes() == whole
    other = tmp_path / "features.npz"
    np.savez(other, features=np.zeros(3))
    before = other.read_bytes()
    for file in (other, path):
        with pytest.raises(rnnrs.FormatError, match="expected a cache of pictures, got another file"):
            data.read_pictures([path], (4, 6), cache=file)
    assert other.read_bytes() == before
    with pytest.raises(FileNotFoundError):
        data.read_pictures([path], (4, 6), cache=tmp_path / "nowhere" / "kept.npz")
