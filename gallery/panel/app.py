"""A dashboard whose parts are bound to each other; the server answers over a websocket."""

import panel as pn

pn.extension()
number = pn.widgets.IntInput(name="A number", value=6)
pn.Column("# Panel", number, pn.bind(lambda value: f"Seven times that is {7 * value}.", number)).servable(
    title="Panel"
)
