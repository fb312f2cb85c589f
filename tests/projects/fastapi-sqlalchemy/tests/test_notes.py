def test_nothing():
    import notes.main
