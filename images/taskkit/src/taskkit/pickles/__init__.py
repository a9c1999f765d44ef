"""Loading saved estimators without running what a foreign file asks for. Rooms:

names           (module, name) pairs; the allowed list, generated from the locked packages
project_names   what of the project's own code and wheels a file may name
machine         the rules, as a pickle machine that runs no opcode outside them
values          what counts as data: values whose use runs nothing that the file chose
arguments       what a callable of the allowed list may be given
states          what an object may be given as its state
inspection      the machine over inert values: every name with its position, nothing imported
loading         the machine over real values: the restricted unpickler
effects         the net below: a reconstructor that reaches beyond memory is stopped
streams         files, compressed ones too, with positions and bounds
skops_archive   the same rules for skops files
skops_nodes     what a node of a skops file may be

It is a defence against files that were swapped or come from elsewhere, not against the project's own code, and not
against numbers chosen to break a native library.
"""

from taskkit.pickles.inspection import Inspection, Problem, check, inspect
from taskkit.pickles.loading import load

__all__ = ["Inspection", "Problem", "check", "inspect", "load"]
