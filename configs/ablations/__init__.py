"""Ablation studies, a question each: one file, one table of arms. See configs/study.py for how an arm is spelled."""
