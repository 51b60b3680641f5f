-- What the library holds, by decade of release, genre and format.
SELECT
    CAST(w.year // 10 * 10 AS INTEGER) AS decade,
    coalesce(w.genre, 'Unknown') AS genre,
    f.format AS format,
    count(DISTINCT w.work_id) AS works,
    count(*) AS files,
    CAST(sum(f.duration_seconds) AS BIGINT) AS duration_seconds,
    CAST(sum(w.oscars * CAST(f.is_master AS INTEGER)) AS BIGINT) AS oscars
FROM creatives.files AS f
JOIN creatives.works AS w ON w.work_id = f.work_id
GROUP BY CAST(w.year // 10 * 10 AS INTEGER), coalesce(w.genre, 'Unknown'), f.format
ORDER BY decade, genre, format
