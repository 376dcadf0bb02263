"""A dashboard that knows by its environment below which path it lives; it asks the server by HTTP."""

import os

from dash import Dash, Input, Output, dcc, html

prefix = os.environ["JUPYTERHUB_SERVICE_PREFIX"]
app = Dash(title="Dash", requests_pathname_prefix=prefix, routes_pathname_prefix=prefix)
app.layout = html.Div(
    [
        html.H1("Dash"),
        html.Label("A number", htmlFor="number"),
        dcc.Input(id="number", type="number", value=6),
        html.P(id="answer"),
    ]
)


@app.callback(Output("answer", "children"), Input("number", "value"))
def answer(value: int | None) -> str:
    return f"Seven times that is {7 * (value or 0)}."


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=os.environ["PORT"], debug=False)
