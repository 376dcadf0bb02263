"""The door for the edge: may this request pass, and as whom?"""
