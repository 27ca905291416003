"""Ablation studies. Each file asks one question with one table of arms. configs/study.py describes the arms' names."""
