DELETE FROM url_counts;
