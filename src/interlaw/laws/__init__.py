"""Laws of loss against depth and width, with their uncertainty. Needs NumPy, SciPy and pandas only.

Read the files in this order; each imports only files before it:

    rows       what rows mean                        settings, rows, names, cells, repeats, table,
                                                     scales, grouping
    budgets    one loss curve each, and its R*       result, loss_curve, r_star, budget_fit
    joint law  all budgets at once                   forms, solve, compare, dependence, joint_law
    slope      does R* move                          published, stability
    claims     what interaction has to do with it    claim, contexts, partial, within_shapes, off_the_curve, tracking,
                                                     drift, interaction_interval
    summary    every record together, in words       claims, caveats, verdicts, law_fit, fit, parts,
                                                     treatments
    beside it  tables without equal budgets          surface
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
