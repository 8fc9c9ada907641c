# ruff: noqa: F401
"""The old names of what lies in ``_kit`` now, for rooms that are not ported yet."""

from demos._kit.checks import integer as whole
from demos._kit.checks import is_number
from demos._kit.checks import number as real
from demos._kit.checks import one_of as chosen
from demos._kit.events import (
    BESIDE,
    HEAVY,
    QUICK,
    ROLL_JS,
    fetching,
    wait_in_page,
)
from demos._kit.events import (
    error_boundary as guarded,
)
from demos._kit.inputs import (
    MAX_BOARDS,
    MAX_LAYERS,
    MAX_PIXELS,
    MAX_SIDE,
    CheckedBoard,
    CheckedImage,
    _too_large,
    as_input,
    drawing,
    read_picture,
    sent_picture,
    upright_rgb,
)
from demos._kit.layout import explanation, header, measured, seed_row, weights_choice
from demos._kit.markup import (
    legend_bar,
    note_html,
    picture_html,
    tiles_html,
)
from demos._kit.markup import (
    size_text as told_size,
)
from demos._kit.pictures import (
    HEAT,
    LARGE,
    as_tensor,
    data_uri,
    enlarged,
    heat,
    is_empty,
    photo_uri,
    png_uri,
    side_by_side,
    strip_image,
    to_pil,
)
from demos._kit.recipes import (
    COPY_JS,
    DOWNLOAD_JS,
    MAX_QR,
    MAX_SEED,
    QR_JS,
    RECIPE_KEY,
    STATE_JS,
    Room,
    link_button,
    png_with_recipe,
    qr_code,
    read_recipe,
    recipe_of,
    rooms,
    save_button,
    weights_digest,
)
from demos._kit.running import (
    Cache as Kept,
)
from demos._kit.running import (
    _cancelled as _halted,
)
from demos._kit.running import (
    cancel as halt,
)
from demos._kit.running import (
    cancellable as haltable,
)
from demos._kit.running import (
    cancels_on as ends,
)
from demos._kit.running import (
    is_cancelled as halted,
)
from demos._kit.running import (
    restarts_on as begins,
)
from demos._kit.running import (
    stop_button as stops,
)
from demos._kit.running import (
    token,
    visitor_stays,
)
from demos._kit.shipped import (
    example_pictures,
    examples_html,
    kept_pictures,
    picked_example,
    picture_for,
    shape_of,
    sheet_tiles,
)
from demos._kit.widgets import (
    BEGIN_JS,
    COMPARE_HTML,
    COMPARE_JS,
    TILE_JS,
    compare,
    compared,
    sketchpad,
    starter,
    tiles,
)
from demos._server.errors import as_sentence as told
