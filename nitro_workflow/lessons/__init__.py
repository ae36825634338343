"""What the notebooks call: one lesson a notebook, one short call a cell.

::

    from nitro_workflow.lessons import open_lesson

    lesson = open_lesson("01")
    lesson.run("P1")

>>> from nitro_workflow.lessons import LESSONS, find_word
>>> LESSONS["05"].title, find_word("pcr").term
('The image', 'PCR')
"""

from nitro_workflow.lessons.course_progress import (
    LessonProgress,
    forget_answers,
    progress_of,
)
from nitro_workflow.lessons.document_pile import DocumentPile, open_pile
from nitro_workflow.lessons.failures import open_denials, open_practice_key, show_attempt
from nitro_workflow.lessons.glossary import GLOSSARY, Word, find_word, glossary_page
from nitro_workflow.lessons.lesson import Lesson, open_lesson
from nitro_workflow.lessons.lesson_table import LESSONS, LessonPlan

__all__ = [
    "GLOSSARY",
    "LESSONS",
    "DocumentPile",
    "Lesson",
    "LessonPlan",
    "LessonProgress",
    "Word",
    "find_word",
    "forget_answers",
    "glossary_page",
    "open_denials",
    "open_lesson",
    "open_pile",
    "open_practice_key",
    "progress_of",
    "show_attempt",
]
