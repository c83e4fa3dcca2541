"""Work on plain text: sentences, summaries, cutting, counting tokens. Knows neither Django nor SQL;
services call it."""
