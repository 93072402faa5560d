"""Chaos: many implementations at once, scripted people, and everything around them killed again and again.

`make chaos SEED=1` runs the real stack with a sweep every ten seconds. The seed fixes what people decide, the order in
which parts are killed or restarted, and the chances of every fault; the exact moments are the machine's. What must
exist in the end follows from the scripts alone, what does exist from the sandboxes' own databases. A kill counts only
if Temporal shows afterwards that the dead worker left an activity unfinished.

With `DEFECT=no-look-before-create` the worker creates without looking first, and chaos must fail.
"""
