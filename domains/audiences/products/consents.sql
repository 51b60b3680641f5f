-- One row per person and purpose of the mesh, said yes or no.
SELECT person_id, 'measurement' AS purpose, consent_measurement AS granted, consented_on AS decided_on
FROM audiences.persons
UNION ALL
SELECT person_id, 'delivery' AS purpose, consent_delivery AS granted, consented_on AS decided_on
FROM audiences.persons
UNION ALL
SELECT person_id, 'collaboration' AS purpose, consent_collaboration AS granted, consented_on AS decided_on
FROM audiences.persons
ORDER BY person_id, purpose
