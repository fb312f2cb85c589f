from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from sqlalchemy import select
from sqlalchemy.orm import Session

from notes.database import Base, engine, session
from notes.models import Note


@asynccontextmanager
async def lifespan(app):
    Base.metadata.create_all(engine)
    yield


app = FastAPI(lifespan=lifespan)


@app.post("/notes")
def add(text: str, db: Session = Depends(session)) -> dict[str, int]:
    note = Note(text=text)
    db.add(note)
    db.commit()
    return {"id": note.id}


@app.get("/notes")
def all_notes(db: Session = Depends(session)) -> list[str]:
    return list(db.scalars(select(Note.text)))
