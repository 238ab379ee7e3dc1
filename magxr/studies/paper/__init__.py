"""The paper's experiment made again on replicas of its four areas, with a truth that is known.

`magxr.studies.paper.study.paper_study` is the whole; the command is ``magxr study paper``.
"""
