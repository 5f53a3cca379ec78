import voip_engine


def test_every_public_name_is_there():
    for name in voip_engine.__all__:
        assert getattr(voip_engine, name) is not None
