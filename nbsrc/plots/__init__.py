"""Drawing functions of the chapters: data in, figure and rows for the CSV out."""
