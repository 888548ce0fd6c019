"""Pictures: what is sent for a file, and what is never opened, decoded or believed."""

import contextlib
import io
import os
import socket
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageDraw, ImageFile

from harness.errors import SuiteError
from harness.images import encode, header, is_whole, plain, read_regular, shown
from harness.records import EncodedImage

SIDE_PX = 1024
"""The limit on the longest side that these tests ask for unless they say otherwise."""


def photo(width_px: int = 64, height_px: int = 48) -> Image.Image:
    """Something with a top, a left and colours: red, green, blue and white quarters."""
    picture = Image.new("RGB", (width_px, height_px), "white")
    draw = ImageDraw.Draw(picture)
    middle_x, middle_y = width_px // 2, height_px // 2
    draw.rectangle((0, 0, middle_x - 1, middle_y - 1), fill="red")
    draw.rectangle((middle_x, 0, width_px, middle_y - 1), fill="lime")
    draw.rectangle((0, middle_y, middle_x - 1, height_px), fill="blue")
    return picture


def saved(folder: Path, name: str, picture: Image.Image, **how: object) -> Path:
    path = folder / name
    picture.save(path, **how)  # type: ignore[arg-type]
    return path


def pixels(sent: EncodedImage) -> Image.Image:
    picture = Image.open(io.BytesIO(sent.data))
    picture.load()
    return picture


def corners(sent: EncodedImage) -> list[tuple[int, ...]]:
    """The colours of the four quarters, row by row."""
    picture = pixels(sent)
    assert picture.mode == "RGB"
    width, height = picture.size
    places = [(x, y) for y in (height // 4, height * 3 // 4) for x in (width // 4, width * 3 // 4)]
    found = [picture.getpixel(place) for place in places]
    return [colour for colour in found if isinstance(colour, tuple)]


def alike(left: list[tuple[int, ...]], right: list[tuple[int, ...]], levels: int = 6) -> bool:
    return all(
        abs(a - b) <= levels
        for one, other in zip(left, right, strict=True)
        for a, b in zip(one, other, strict=True)
    )


QUARTERS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)]


def refused(path: Path) -> str:
    with pytest.raises(SuiteError) as caught:
        encode(path, longest_side_px=SIDE_PX)
    assert shown(path) in caught.value.problem
    assert caught.value.fix
    return caught.value.problem


# --- what is sent ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "how", "media_type"),
    [
        ("a.jpg", {"quality": 90}, "image/jpeg"),
        ("progressive.jpg", {"progressive": True}, "image/jpeg"),
        ("a.png", {}, "image/png"),
        (
            "a.png",
            {"icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()},
            "image/png",
        ),
    ],
)
def test_a_canonical_file_is_sent_as_its_own_bytes(
    tmp_path: Path, name: str, how: dict[str, object], media_type: str
) -> None:
    path = saved(tmp_path, name, photo(), **how)

    sent = encode(path, longest_side_px=SIDE_PX)

    assert sent.data == path.read_bytes()
    assert (sent.media_type, sent.width_px, sent.height_px) == (media_type, 64, 48)
    assert header(sent.data, name).quirks == ()


def test_the_bytes_decide_what_a_file_is_and_not_its_name(tmp_path: Path) -> None:
    path = saved(tmp_path, "really-a.png", photo(), format="JPEG")

    assert encode(path, longest_side_px=SIDE_PX).media_type == "image/jpeg"


@pytest.mark.parametrize("kind", ["webp", "gif", "tiff", "bmp", "avif"])
def test_other_formats_become_png(tmp_path: Path, kind: str) -> None:
    path = saved(tmp_path, f"a.{kind}", photo())

    sent = encode(path, longest_side_px=SIDE_PX)

    assert (sent.media_type, sent.width_px, sent.height_px) == ("image/png", 64, 48)
    assert alike(corners(sent), QUARTERS)
    assert header(sent.data, "sent").quirks == ()


@pytest.mark.parametrize("mode", ["CMYK", "L", "YCbCr"])
@pytest.mark.parametrize("kind", ["jpg", "tiff"])
def test_other_colour_models_become_rgb(tmp_path: Path, mode: str, kind: str) -> None:
    sent = encode(saved(tmp_path, f"a.{kind}", photo().convert(mode)), longest_side_px=SIDE_PX)

    grey = [
        tuple([photo().convert("L").getpixel(place)] * 3)
        for place in [(16, 12), (48, 12), (16, 36), (48, 36)]
    ]
    assert alike(corners(sent), grey if mode == "L" else QUARTERS)


@pytest.mark.parametrize("mode", ["P", "1"])
def test_palettes_and_bilevel_pictures_become_rgb(tmp_path: Path, mode: str) -> None:
    picture = photo().convert("L").point(lambda level: 255 * (level > 100)).convert(mode)

    sent = encode(saved(tmp_path, "a.png", picture), longest_side_px=SIDE_PX)

    black, white = (0, 0, 0), (255, 255, 255)
    assert corners(sent) == [black, white, black, white]


@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_sixteen_bits_keep_their_brightness(tmp_path: Path, kind: str) -> None:
    half = Image.frombytes("I;16", (2, 2), struct.pack("<4H", 0, 32768, 65535, 257))

    sent = encode(saved(tmp_path, f"a.{kind}", half), longest_side_px=SIDE_PX)

    assert list(pixels(sent).tobytes()[::3]) == [0, 128, 255, 1]


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    glass = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    glass.paste((0, 0, 255, 128), (0, 0, 4, 8))

    for kind in ("png", "webp", "tiff"):
        how = {"lossless": True} if kind == "webp" else {}
        sent = encode(saved(tmp_path, f"a.{kind}", glass, **how), longest_side_px=SIDE_PX)
        assert alike(corners(sent), [(127, 127, 255), (255, 255, 255)] * 2, levels=1), kind


@pytest.mark.parametrize("mode", ["RGB", "L", "P"])
def test_a_transparent_colour_is_laid_on_white(tmp_path: Path, mode: str) -> None:
    picture = Image.new("L", (8, 8), 9).convert(mode)
    key = picture.getpixel((0, 0))
    path = saved(tmp_path, "a.png", picture, transparency=key)

    assert corners(encode(path, longest_side_px=SIDE_PX)) == [(255, 255, 255)] * 4


@pytest.mark.parametrize("turned", range(1, 9))
@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tiff"])
def test_every_exif_turn_is_undone(tmp_path: Path, turned: int, kind: str) -> None:
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    """How a picture must be transposed so that the tag turns it back (the tag's inverse)."""
    lying = photo().transpose(Image.Transpose(undo[turned])) if turned in undo else photo()
    exif = Image.Exif()
    exif[0x0112] = turned
    how = {"lossless": True} if kind == "webp" else {}
    path = saved(tmp_path, f"a.{kind}", lying, exif=exif, **how)

    sent = encode(path, longest_side_px=SIDE_PX)

    assert (sent.width_px, sent.height_px) == (64, 48)
    assert alike(corners(sent), QUARTERS)


def test_an_exif_tag_behind_the_pixels_of_a_png_counts(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    path = saved(tmp_path, "a.png", photo().transpose(Image.Transpose.ROTATE_180))
    late = png_chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))
    path.write_bytes(path.read_bytes()[:-12] + late + png_chunk(b"IEND", b""))

    assert corners(encode(path, longest_side_px=SIDE_PX)) == QUARTERS


def test_exif_that_cannot_be_read_turns_nothing(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.jpg", photo(), exif=b"Exif\0\0" + bytes(range(90)))

    assert encode(path, longest_side_px=SIDE_PX).data == path.read_bytes()


def test_wide_gamut_colours_are_moved_to_srgb(tmp_path: Path) -> None:
    path = saved(
        tmp_path,
        "wide.png",
        Image.new("RGB", (8, 8), (200, 100, 50)),
        icc_profile=wide_gamut_profile(),
    )

    sent = encode(path, longest_side_px=SIDE_PX)
    red, green, _ = corners(sent)[0]

    assert red > 205
    assert green < 98
    assert "icc_profile" not in pixels(sent).info


def test_a_profile_that_cannot_be_read_is_ignored_as_viewers_do(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.png", photo(), icc_profile=b"not a profile")

    assert encode(path, longest_side_px=SIDE_PX).data == path.read_bytes()


@pytest.mark.parametrize(
    ("size", "sent_size"),
    [
        ((3000, 2000), (1024, 683)),
        ((2000, 3000), (683, 1024)),
        ((4000, 1), (1024, 1)),
        ((1024, 1024), (1024, 1024)),
        ((1025, 10), (1024, 10)),
        ((1, 1), (1, 1)),
    ],
)
@pytest.mark.parametrize("kind", ["jpg", "png", "webp"])
def test_the_longest_side_fits_and_nothing_is_enlarged(
    tmp_path: Path, size: tuple[int, int], sent_size: tuple[int, int], kind: str
) -> None:
    sent = encode(saved(tmp_path, f"a.{kind}", Image.new("RGB", size)), longest_side_px=1024)

    assert (sent.width_px, sent.height_px) == sent_size
    assert pixels(sent).size == sent_size


def test_a_shrunk_photograph_is_the_same_picture(tmp_path: Path) -> None:
    sent = encode(saved(tmp_path, "a.jpg", photo(2400, 1800), quality=95), longest_side_px=300)

    assert alike(corners(sent), QUARTERS)


def test_the_same_file_gives_the_same_bytes(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.webp", photo())

    assert encode(path, longest_side_px=32) == encode(path, longest_side_px=32)


def test_a_plain_picture_is_one_canonical_colour() -> None:
    sent = plain("red", 32, 16)

    assert header(sent.data, "plain").quirks == ()
    assert corners(sent) == [(255, 0, 0)] * 4
    assert (sent.width_px, sent.height_px) == (32, 16)


def test_pillow_keeps_its_settings(tmp_path: Path) -> None:
    before = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)
    with pytest.raises(SuiteError):
        encode(a_png_of(60_000, 60_000, tmp_path), longest_side_px=SIDE_PX)

    assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)


# --- damaged --------------------------------------------------------------------------------


@pytest.mark.parametrize("kept", [0.01, 0.5, 0.98])
@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tiff", "bmp", "gif", "avif"])
def test_a_truncated_picture_is_refused(tmp_path: Path, kind: str, kept: float) -> None:
    noise = Image.effect_noise((64, 64), 80).convert("RGB")
    whole = saved(tmp_path, f"whole.{kind}", noise).read_bytes()
    path = tmp_path / f"cut.{kind}"
    path.write_bytes(whole[: int(kept * len(whole))])

    refused(path)


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "bmp"])
@pytest.mark.parametrize("lost_bytes", [1, 2, 3, 12])
def test_even_the_last_byte_is_missed(tmp_path: Path, kind: str, lost_bytes: int) -> None:
    noise = Image.effect_noise((64, 64), 80).convert("RGB")
    whole = saved(tmp_path, f"whole.{kind}", noise).read_bytes()
    path = tmp_path / f"cut.{kind}"
    path.write_bytes(whole[:-lost_bytes])

    refused(path)


def test_a_flipped_bit_in_a_png_is_refused(tmp_path: Path) -> None:
    whole = bytearray(saved(tmp_path, "a.png", photo()).read_bytes())
    whole[whole.index(b"IDAT") + 20] ^= 1
    path = tmp_path / "flipped.png"
    path.write_bytes(whole)

    assert "damaged: broken PNG file (bad header checksum in b'IDAT')" in refused(path)


def test_bad_pixel_data_under_a_right_checksum_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png_of(8, 8, zlib.compress(bytes(200))[:-9]))

    assert "damaged" in refused(path)


def test_a_png_whose_rows_use_an_unknown_filter_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png_of(8, 2, zlib.compress(bytes(25) + b"\5" + bytes(24))))

    assert "damaged" in refused(path)


def test_a_few_kilobytes_that_unfold_to_gigabytes_are_not_unfolded(tmp_path: Path) -> None:
    squeezer = zlib.compressobj(9)
    bomb = b"".join(squeezer.compress(bytes(2**20)) for _ in range(64)) + squeezer.flush()
    path = tmp_path / "a.png"
    path.write_bytes(png_of(8, 8, bomb))

    assert encode(path, longest_side_px=SIDE_PX).width_px == 8


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_any_damage_gives_a_picture_or_a_suite_error(tmp_path: Path, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"]))
    whole = bytearray(BYTES[kind])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=4))
    path = tmp_path / "damaged"
    path.write_bytes(whole)

    with contextlib.suppress(SuiteError):
        sent = encode(path, longest_side_px=16)
        assert max(sent.width_px, sent.height_px) <= 16


def as_bytes(kind: str) -> bytes:
    buffer = io.BytesIO()
    photo(20, 12).save(buffer, kind)
    return buffer.getvalue()


BYTES = {kind: as_bytes(kind) for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF")}


# --- weapons --------------------------------------------------------------------------------


def _as_jpeg(**how: object) -> bytes:
    buffer = io.BytesIO()
    photo(320, 240).save(buffer, format="JPEG", **how)  # type: ignore[arg-type]
    return buffer.getvalue()


JPEG = _as_jpeg(quality=88)


def test_ordinary_jpegs_are_known_to_be_whole_without_decoding() -> None:
    assert is_whole(JPEG)
    assert is_whole(_as_jpeg(quality=40, restart_marker_blocks=3))
    assert is_whole(_as_jpeg(progressive=True))


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_no_jpeg_is_taken_for_whole_that_cannot_be_decoded(data: st.DataObject) -> None:
    damaged = bytearray(JPEG)
    places = st.integers(0, len(JPEG) - 1) | st.integers(0, 640)
    for at in data.draw(st.lists(places, min_size=1, max_size=4)):
        damaged[at] = data.draw(st.integers(0, 255))
    kept = data.draw(st.just(len(JPEG)) | st.integers(2, len(JPEG)))
    cut = bytes(damaged[:kept]) + data.draw(st.sampled_from((b"", b"\xff\xd9", b"\0")))
    if is_whole(cut):
        with Image.open(io.BytesIO(cut)) as picture:
            picture.load()


def test_a_header_of_60000_by_60000_is_refused_before_decoding(tmp_path: Path) -> None:
    assert "60000 x 60000 pixels, more than 50 million" in refused(
        a_png_of(60_000, 60_000, tmp_path)
    )


@pytest.mark.parametrize("size", [(10_000, 5_001), (13_000, 13_000), (50_000_001, 1)])
def test_over_50_megapixels_are_refused_and_not_only_warned_of(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    assert "more than 50 million" in refused(a_png_of(*size, tmp_path))


def test_50_megapixels_are_read(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.png", Image.new("1", (10_000, 5_000)))

    assert encode(path, longest_side_px=100).width_px == 100


def test_a_jpeg_of_a_thousand_scans_is_refused(tmp_path: Path) -> None:
    whole = saved(tmp_path, "a.jpg", photo(), progressive=True).read_bytes()
    last = whole.rindex(b"\xff\xda")
    path = tmp_path / "scans.jpg"
    path.write_bytes(whole[:last] + whole[last:-2] * 1000 + b"\xff\xd9")

    assert "over 100 scans" in refused(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "begins with nothing"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "begins with <svg"),
        (b"<!DOCTYPE html><html></html>", "begins with <!DOCTYPE html>"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99), "is HEIC or another format"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1", "is a Git LFS pointer"),
        (b"%PDF-1.7", "PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "begins with %!PS"),
        (b"just words", "is not a picture"),
        (b"\xff\xd8\xff", "damaged"),
        (b"\x89PNG\r\n\x1a\n", "damaged"),
    ],
)
def test_what_is_no_picture_is_refused_with_what_it_is_or_its_first_bytes(
    tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)

    assert said in refused(path)


@pytest.mark.parametrize("kind", ["gif", "png", "webp", "tiff"])
def test_several_frames_are_refused(tmp_path: Path, kind: str) -> None:
    path = saved(
        tmp_path, f"a.{kind}", photo(), save_all=True, append_images=[Image.new("RGB", (64, 48))]
    )

    assert "several frames" in refused(path)


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_folder(path: Path) -> None:
    path.mkdir()


def make_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def make_socket(path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.close()


def make_nothing(path: Path) -> None: ...


def make_loop(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (make_fifo, "is a FIFO, a device or a socket"),
        (make_folder, "is a folder"),
        (make_device, "is a FIFO, a device or a socket"),
        (make_socket, "cannot be opened"),
        (make_nothing, "no such file"),
        (make_loop, "cannot be opened"),
    ],
)
def test_only_regular_files_are_opened(
    tmp_path: Path, make: Callable[[Path], None], said: str
) -> None:
    path = tmp_path / "a.png"
    make(path)

    assert said in refused(path)


def test_a_name_with_a_nul_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="cannot be opened"):
        encode(tmp_path / "a\0.png", longest_side_px=SIDE_PX)


def test_a_name_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    assert "\x1b" not in refused(tmp_path / "\x1b]0;title\x07.png")


def test_a_file_beyond_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(bytes(2**20 + 1))

    assert read_regular(path, limit_bytes=2**20 + 1) == bytes(2**20 + 1)
    with pytest.raises(SuiteError, match="larger than 1 MiB"):
        read_regular(path, limit_bytes=2**20)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux alone has such files")
def test_a_file_that_tells_no_size_is_read_to_its_end() -> None:
    assert Path("/proc/self/status").stat().st_size == 0
    assert read_regular(Path("/proc/self/status"), limit_bytes=2**20).startswith(b"Name:")
    with pytest.raises(SuiteError, match="larger than"):
        read_regular(Path("/proc/self/status"), limit_bytes=10)


def test_a_header_that_must_be_whole_finds_damage_and_quirks(tmp_path: Path) -> None:
    found = header(saved(tmp_path, "a.webp", photo()).read_bytes(), "a.webp", whole=True)
    assert (found.format, found.quirks) == ("WEBP", ("WEBP, which not every server reads",))

    cut = saved(tmp_path, "b.jpg", photo()).read_bytes()[:-40]
    assert header(cut, "b.jpg").width_px == 64
    with pytest.raises(SuiteError, match="damaged"):
        header(cut, "b.jpg", whole=True)


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def png_of(width_px: int, height_px: int, idat: bytes) -> bytes:
    ihdr = struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, 0)
    chunks = (png_chunk(b"IHDR", ihdr), png_chunk(b"IDAT", idat), png_chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def a_png_of(width_px: int, height_px: int, folder: Path) -> Path:
    path = folder / "huge.png"
    path.write_bytes(png_of(width_px, height_px, zlib.compress(bytes(1000))))
    return path


def wide_gamut_profile() -> bytes:
    """An RGB profile with the primaries of Display P3 and a gamma of 2.2 (ICC.1:2010)."""

    def s15(value: float) -> bytes:
        return struct.pack(">i", round(value * 65536))

    def xyz(*values: float) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(s15(value) for value in values)

    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"wide\0" + bytes(78 + 3)
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, int(2.2 * 256)) + b"\0\0"
    tags = {
        b"desc": text,
        b"wtpt": xyz(0.9642, 1.0, 0.8249),
        b"cprt": b"text\0\0\0\0none\0\0\0\0",
        b"rXYZ": xyz(0.5151, 0.2412, -0.0011),
        b"gXYZ": xyz(0.2920, 0.6922, 0.0419),
        b"bXYZ": xyz(0.1571, 0.0666, 0.7841),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    table, body, at = b"", b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        padded = content + bytes(-len(content) % 4)
        table += name + struct.pack(">II", at + len(body), len(content))
        body += padded
    head = struct.pack(
        ">I4sI4s4s4s", at + len(body), b"none", 0x02400000, b"mntr", b"RGB ", b"XYZ "
    )
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    head += s15(0.9642) + s15(1.0) + s15(0.8249) + bytes(128 - 80)
    return head + struct.pack(">I", len(tags)) + table + body
