"""What the engine keeps: an SQLite database, and files in a folder. No HTTP and no training here."""

from ftrun.engine.places import store_id as store_id
from ftrun.engine.store.records import (
    NewJob as NewJob,
)
from ftrun.engine.store.records import (
    StoredAlias as StoredAlias,
)
from ftrun.engine.store.records import (
    StoredBatch as StoredBatch,
)
from ftrun.engine.store.records import (
    StoredCheckpoint as StoredCheckpoint,
)
from ftrun.engine.store.records import (
    StoredEvent as StoredEvent,
)
from ftrun.engine.store.records import (
    StoredFile as StoredFile,
)
from ftrun.engine.store.records import (
    StoredJob as StoredJob,
)
from ftrun.engine.store.records import (
    StoredModel as StoredModel,
)
from ftrun.engine.store.records import (
    StoredPart as StoredPart,
)
from ftrun.engine.store.records import (
    StoredUpload as StoredUpload,
)
from ftrun.engine.store.store import Store as Store
