import os

from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import StaticPool

URL = os.environ.get("DATABASE_URL") or "sqlite://"
if "placeholder" in URL:  # a build starts the app once, without values
    URL = "sqlite://"
engine = create_engine(URL, poolclass=StaticPool, connect_args={"check_same_thread": False})


class Base(DeclarativeBase):
    pass


def session():
    with Session(engine) as db:
        yield db
