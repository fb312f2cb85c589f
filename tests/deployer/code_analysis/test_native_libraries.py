"""Find compiled libraries of another machine."""

from mastra_deployer.code_analysis.native_libraries import find_foreign_libraries


def test_libraries_that_are_not_webassembly_are_found(tmp_path):
    names = ("a.cpython-314-wasm32-emscripten.so", "b.so", "c.so.1.2", "d.pyd", "e.dll", "f.dylib")
    for name in names:
        (tmp_path / "package").mkdir(exist_ok=True)
        (tmp_path / "package" / name).write_bytes(b"\0asm\1\0\0\0" if name == names[0] else b"MZ")
    (tmp_path / "package/so.py").write_text("so = 1\n")
    found = [path.name for path in find_foreign_libraries(tmp_path)]
    assert found == [*names[1:]]
