"""What the engine remembers: one SQLite database and files in a folder. No HTTP and no training here."""

from ftrun.engine.places import store_id as store_id
from ftrun.engine.store.records import (
    CheckpointRecord as CheckpointRecord,
)
from ftrun.engine.store.records import (
    EventRecord as EventRecord,
)
from ftrun.engine.store.records import (
    FileRecord as FileRecord,
)
from ftrun.engine.store.records import (
    JobRecord as JobRecord,
)
from ftrun.engine.store.records import (
    ModelRecord as ModelRecord,
)
from ftrun.engine.store.records import (
    PartRecord as PartRecord,
)
from ftrun.engine.store.records import (
    UploadRecord as UploadRecord,
)
from ftrun.engine.store.store import Store as Store
