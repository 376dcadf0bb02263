"""The script runs again whenever something is typed; Streamlit sends what changed over a websocket."""

import streamlit as st

st.title("Streamlit")
number = st.number_input("A number", value=6, step=1)
st.write(f"Seven times that is {7 * number}.")
