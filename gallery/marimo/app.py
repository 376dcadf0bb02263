"""A notebook as an app: what is typed is answered by Python, over a websocket."""

import marimo

app = marimo.App()


@app.cell
def _():
    import marimo as mo

    return (mo,)


@app.cell
def _(mo):
    number = mo.ui.number(start=0, stop=1000, value=6, label="A number")
    number  # noqa: B018 - what a cell ends with is shown
    return (number,)


@app.cell
def _(mo, number):
    mo.md(f"Seven times that is **{7 * number.value}**.")
    return


if __name__ == "__main__":
    app.run()
