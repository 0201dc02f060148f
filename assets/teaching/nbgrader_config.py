"""nbgrader settings of a course that uses the book. Copy into the course folder."""

import os
import sys
from pathlib import Path

book = Path(os.environ.get("HER2_BOOK", ".")).resolve()
tools = book / "assets" / "teaching"
if not tools.is_dir():
    sys.exit(f"stopped: HER2_BOOK is {book}, which has no assets/teaching; "
             "set it to the folder of the book")
sys.path.insert(0, str(tools))
# nbgrader calls its helper alembic by name; find it even where the environment is not activated
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

import her2teach as h  # noqa: E402
from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor  # noqa: E402
from nbgrader.preprocessors import (  # noqa: E402
    CheckCellMetadata,
    ClearHiddenTests,
    ClearOutput,
    ComputeChecksums,
    GetGrades,
    IncludeHeaderFooter,
    LockCells,
    OverwriteCells,
    OverwriteKernelspec,
    SaveCells,
)

c = get_config()  # noqa: F821  (nbgrader provides it)
c.CourseDirectory.course_id = "her2"
c.CourseDirectory.source_directory = str(book / "chapters" / "exercises")
c.ExecutePreprocessor.timeout = 120  # seconds a cell may take; ends an endless loop

# Releasing: add the private tests, make the plain copy, remember everything, hide the tests.
c.GenerateAssignment.preprocessors = [
    h.AddHiddenTests, h.PlainText, IncludeHeaderFooter, LockCells, h.ClearAnswers, ClearOutput,
    CheckCellMetadata, ComputeChecksums, SaveCells, ClearHiddenTests, ComputeChecksums,
    CheckCellMetadata,
]
# Grading: a copied cell must not stop the class.
c.Autograde.sanitize_preprocessors = [
    ClearOutput, h.DropDuplicateIds, OverwriteKernelspec, OverwriteCells, CheckCellMetadata,
]
# Feedback: without the hidden tests.
c.GenerateFeedback.preprocessors = [GetGrades, h.MaskHiddenTests, CSSHTMLHeaderPreprocessor]

# Collecting from the LMS: Moodle's "Download all submissions" names. Change it for yours.
c.ZipCollectApp.collector_plugin = "nbgrader.plugins.zipcollect.FileNameCollectorPlugin"
c.FileNameCollectorPlugin.named_regexp = (
    r".*[/\\](?P<student_id>[^/\\]+?)_\d+_assignsubmission_file[_/\\]*(?P<file_id>[^/\\]*)"
)
