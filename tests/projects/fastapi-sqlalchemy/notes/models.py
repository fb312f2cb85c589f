from sqlalchemy.orm import Mapped, mapped_column

from notes.database import Base


class Note(Base):
    __tablename__ = "notes"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
