SELECT sum(records) records, sum(bytes_out) bytes_out, sum(bytes_in) bytes_in FROM pair_hours;
