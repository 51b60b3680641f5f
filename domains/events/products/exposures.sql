-- Who was shown an ad of which campaign in 1997: a row for each person who could have been, and each campaign. Persons who
-- agreed to be counted with a partner, and who could be shown ads, are the audience; the rest of it was shown none.
SELECT
    p.person_id AS person_id,
    c.campaign AS campaign,
    p.region AS region,
    CASE WHEN s.person_id IS NULL THEN 'no' ELSE 'yes' END AS exposed,
    p.consent_collaboration AS consent_collaboration
FROM audiences.persons AS p
CROSS JOIN (
    SELECT 'biography' AS campaign
    UNION ALL SELECT 'musical'
    UNION ALL SELECT 'war'
    UNION ALL SELECT 'western'
) AS c
LEFT JOIN (
    SELECT DISTINCT i.person_id AS person_id, lower(w.genre) AS campaign
    FROM events.impressions AS i
    JOIN creatives.files AS f ON f.creative_file_id = i.creative_file_id
    JOIN creatives.works AS w ON w.work_id = f.work_id
    WHERE i.occurred_at < TIMESTAMP '1998-01-01 00:00:00'
) AS s ON s.person_id = p.person_id AND s.campaign = c.campaign
WHERE p.consent_delivery AND p.consent_measurement
