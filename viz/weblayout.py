"""What stands where on the page of a run (trame's HTML widgets; no script and no style from anywhere else)."""

from __future__ import annotations

from trame.ui.html import DivLayout
from trame.widgets import client, html

from marrowsim.viz.cameras import CAMERAS
from marrowsim.viz.description import FIELD_WAYS
from marrowsim.viz.webstyle import STYLE

# A press of the mouse that does not turn the view, and where in the view it was (shares from the upper left corner).
DOWN = "pressed = held = [$event.clientX, $event.clientY]"
CLICK = (
    "Math.abs($event.clientX - pressed[0]) + Math.abs($event.clientY - pressed[1]) < 5 && trigger('pick', "
    "[($event.clientX - $event.currentTarget.getBoundingClientRect().left) / $event.currentTarget.clientWidth, "
    "($event.clientY - $event.currentTarget.getBoundingClientRect().top) / $event.currentTarget.clientHeight])"
)

# The mouse turns the view (left button), or shifts it (other buttons, or with the shift key).
MOVE = (
    "$event.buttons && (trigger('turn', [($event.clientX - held[0]) / $event.currentTarget.clientHeight, "
    "($event.clientY - held[1]) / $event.currentTarget.clientHeight, $event.shiftKey || $event.buttons > 1]), "
    "held = [$event.clientX, $event.clientY])"
)
WHEEL = "trigger('zoom', [Math.sign($event.deltaY)])"


def build(page) -> None:
    """Lay out the page of a `WebView`."""
    with DivLayout(page.server, classes="page"):
        client.Style(STYLE)
        with html.Div(classes="left"):
            html.H1("{{ title }}")
            _legend(page)
            _notes()
            _choices(page)
        with html.Div(classes="middle"):
            _canvas()
            html.Div("{{ message }}", classes="message", v_if=("message",))
            _foot(page)
        with html.Div(classes="right"):
            _panel(page)


def _canvas() -> None:
    mouse = {"pointerdown": DOWN, "click": CLICK, "pointermove": MOVE, "wheel.prevent": WHEEL}
    handlers = [f'@{event}="{action}"' for event, action in mouse.items()]
    with html.Div(classes="canvas", raw_attrs=[*handlers, "@contextmenu.prevent", "@dragstart.prevent"]):
        client.SizeObserver("view_size")
        html.Img(src=("picture",), v_if=("picture",), classes="picture", draggable="false")
        html.Div("{{ ruler.label }}", classes="ruler", style=("{width: ruler.share + 'cqh'}",))
        html.Div("{{ time }}", classes="stamp")


def _legend(page) -> None:
    with html.Div(classes="legend"), html.Div(v_for="(row, n) in legend", key=("n",)):
        html.Div("{{ row.label }}", classes="heading", v_if=("!row.marker && !row.count",))
        with html.Label(v_else=True, classes=("'row' + (row.on ? '' : ' off')",)):
            html.Input(
                type="checkbox",
                v_if=("row.layer",),
                checked=("row.on",),
                change=(page.layer, "[row.layer, $event.target.checked]"),
                raw_attrs=[':data-layer="row.layer"'],
            )
            html.Span(v_else=True, classes="blank")
            html.Span(
                classes=("'mark m' + ({'o':'o','s':'s','-':'t','cage':'c'}[row.marker] || 'n')",),
                style=("{'--colour': row.colour}",),
            )
            html.Span("{{ row.label.trim() }}", classes="name")
            html.Span("{{ row.count }}", classes="count")


def _notes() -> None:
    """What a viewer has to know: what is drawn larger than it is, or not all of."""
    html.Div("{{ note }}", v_for="note in notes", key=("note",), classes="hint note")


def _choices(page) -> None:
    with html.Div(classes="choices"):
        html.Div("FIELD", classes="heading")
        with html.Div(classes="pair"):
            with html.Select(
                v_model=("field",), change=(page.field, "[field, field_as]"), raw_attrs=['data-name="field"']
            ):
                html.Option("{{ f.label }}", v_for="f in fields", key=("f.name",), value=("f.name",))
            with html.Select(
                v_model=("field_as",), change=(page.field, "[field, field_as]"), raw_attrs=['data-name="way"']
            ):
                for way in FIELD_WAYS:
                    html.Option(way, value=way)
        with html.Div(v_if=("bar.title",), classes="bar"):
            html.Div("{{ bar.title }}")
            html.Div(classes="colours", style=("{background: bar.css}",))
            html.Div("<span>{{ bar.low }}</span><span>{{ bar.high }}</span>", classes="ends")
        html.Div("CUT", classes="heading")
        with html.Div(classes="pair"):
            with html.Select(
                v_model=("clip_axis",), change=(page.clip, "[clip_axis, clip_at]"), raw_attrs=['data-name="clip"']
            ):
                html.Option("nothing cut away", value="")
                for axis in "xyz":
                    html.Option(f"beyond {axis} =", value=axis)
                    html.Option(f"before {axis} =", value=f"-{axis}")
                    html.Option(f"all but a slab at {axis} =", value=f"slab {axis}")
            html.Span("{{ Math.round(clip_at) }} µm", v_if=("clip_axis",))
        html.Input(
            type="range",
            v_if=("clip_axis",),
            min=("clip_step",),
            max=("clip_most - clip_step",),
            step=("clip_step",),
            value=("clip_at",),
            change=(page.clip, "[clip_axis, Number($event.target.value)]"),
            input="clip_at = Number($event.target.value)",
            raw_attrs=['data-name="clip-at"'],
        )
        html.Div("VIEW", classes="heading")
        with html.Div(classes="buttons"):
            for name in CAMERAS:
                html.Button(name, click=(page.camera, f"['{name}']"))
            html.Button(
                "screenshot",
                click="utils.download('marrowsim-' + step + '.png', trigger('screenshot'), 'image/png')",
            )


def _foot(page) -> None:
    with html.Div(classes="foot"):
        html.Button("{{ playing ? 'pause' : 'play' }}", click=page.play, raw_attrs=['data-name="play"'])
        html.Input(type="range", min=0, max=("last",), step=1, raw_attrs=['v-model.number="at"', 'data-name="at"'])
        html.Span("{{ time }}", classes="time")
        html.Span("running", classes="running", v_if=("running",), title="new frames appear by themselves")


def _panel(page) -> None:
    html.Div("PICKED", classes="heading")
    with html.Table(v_if=("picked.length",), classes="picked"), html.Tr(v_for="row in picked", key=("row.name",)):
        html.Td("{{ row.name }}")
        html.Td("{{ row.value }}")
    html.Div("Click a cell, bone, a vessel or a slice to see its values.", v_else=True, classes="hint")
    html.Div("READOUTS", classes="heading", v_if=("curves",))
    with html.Div(classes="curves", v_if=("curves",)):
        html.Img(src=("curves",))
        html.Div(
            v_for="(p, n) in panels",
            key=("n",),
            classes="now",
            style=("{left: p[0] + p[2] * mark / 100 + '%', top: p[1] + '%', height: p[3] + '%'}",),
        )
