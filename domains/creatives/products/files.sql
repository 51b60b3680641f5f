-- One to three files per work, synthetic: a poster for all, trailers for works that the press wrote more about.
SELECT
    w.work_id || '.' || f.number AS creative_file_id,
    w.work_id AS work_id,
    f.format AS format,
    f.number = 1 AS is_master,
    CAST(f.duration_seconds AS INTEGER) AS duration_seconds,
    CAST(f.width_pixels AS INTEGER) AS width_pixels,
    CAST(f.height_pixels AS INTEGER) AS height_pixels,
    CAST(least(100, 1 + coalesce(w.review_count, 0) // 2) AS INTEGER) AS rotation_weight,
    w.released_on AS available_on
FROM creatives.works AS w
JOIN (
    SELECT
        1 AS number, 'poster' AS format, 0 AS duration_seconds,
        1080 AS width_pixels, 1620 AS height_pixels, 0 AS reviews_min
    UNION ALL
    SELECT 2, 'trailer_30s', 30, 1920, 1080, 25
    UNION ALL
    SELECT 3, 'trailer_15s', 15, 1920, 1080, 80
) AS f ON coalesce(w.review_count, 0) >= f.reviews_min
ORDER BY creative_file_id
